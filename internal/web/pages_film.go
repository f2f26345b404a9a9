package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stereospot/stereospot/internal/job"
)

// filmView is a Job in words, for a list's line and for its own page.
type filmView struct {
	Job
	Full  bool // whether its work has to wait for room on the disk
	Links []Link
}

// Can reports whether an action is possible now.
func (f filmView) Can(a Action) bool { return slices.Contains(f.Actions, a) }

// Format is the chosen output format.
func (f filmView) Format() string { return string(f.Options.Format) }

// FormatName is the format as people call it.
func (f filmView) FormatName() string {
	name, _ := formatWords(f.Options.Format)
	return name
}

// State is the badge's word.
func (f filmView) State() string { state, _, _ := stageWords(f.Stage); return state }

// Tone is the badge's colour.
func (f filmView) Tone() string { _, tone, _ := stageWords(f.Stage); return tone }

// Headline says what happens now.
func (f filmView) Headline() string { _, _, headline := stageWords(f.Stage); return headline }

// Why is the reason as a sentence. One that begins with the film's name leaves that as it is.
func (f filmView) Why() string {
	if strings.HasPrefix(f.Reason, f.Title) {
		return ended(f.Reason)
	}
	return sentence(f.Reason)
}

// Draft reports whether the film still waits for its file or for its start.
func (f filmView) Draft() bool { return f.Stage == StageUploading || f.Stage == StageReady }

// Busy reports whether something moves, so that a bar is worth showing.
func (f filmView) Busy() bool {
	switch f.Stage {
	case StageWaiting, StageSplitting, StageConverting, StageJoining:
		return true
	case StageUploading:
		return f.Upload != nil && f.Upload.Received > 0
	}
	return false
}

// Percent is how much of the stage is done; 0 where nobody knows.
func (f filmView) Percent() int {
	switch {
	case f.Stage == StageUploading && f.Upload != nil && f.Upload.Size > 0:
		return int(100 * f.Upload.Received / f.Upload.Size)
	case f.Stage == StageConverting && f.TotalFrames > 0:
		return 100 * f.Frames / f.TotalFrames
	}
	return 0
}

// Line says how far the film is, in one line.
func (f filmView) Line() string {
	if f.Stage == StageUploading {
		return fmt.Sprintf("%s of %s uploaded", byteWords(f.Upload.Received), byteWords(f.Upload.Size))
	}
	var parts []string
	for _, n := range f.Numbers() {
		parts = append(parts, n.Value+" "+n.Name)
	}
	if len(parts) == 0 {
		return f.Headline()
	}
	return strings.Join(parts, ", ")
}

// Spoken is what a screen reader is told of progress: every tenth, not every frame.
func (f filmView) Spoken() string {
	if p := f.Percent() / 10 * 10; p > 0 {
		return fmt.Sprintf("%s, %d%%", f.Headline(), p)
	}
	return f.Headline()
}

// fact is a name and what it is.
type fact struct{ Name, Value string }

// Numbers are what changes while the film is converted.
func (f filmView) Numbers() []fact {
	if f.Stage != StageConverting || f.TotalFrames == 0 {
		return nil
	}
	numbers := []fact{{"of " + grouped(f.TotalFrames) + " frames", grouped(f.Frames)}}
	if f.FPS > 0 {
		numbers = append(numbers, fact{"frames a second", trimmed(f.FPS)})
	}
	if f.SecondsLeft != nil {
		numbers = append(numbers, fact{"left", "about " + spanWords(max(1, *f.SecondsLeft))})
	}
	return numbers
}

// stageLine is one of the four stages of a film's page.
type stageLine struct {
	Name, State string // State is a class: done, now, stopped, or empty
}

// Words says the state to those who don't see it.
func (l stageLine) Words() string {
	switch l.State {
	case "done":
		return "done"
	case "now":
		return "under way"
	case "stopped":
		return "stopped here"
	}
	return "to come"
}

// Stages are the film's way, with how far it is.
func (f filmView) Stages() []stageLine {
	lines := []stageLine{{Name: "Upload"}, {Name: "Split"}, {Name: "Convert"}, {Name: "Join and check"}}
	at, state := f.reached()
	for i := range lines {
		if i < at {
			lines[i].State = "done"
		}
	}
	if at < len(lines) {
		lines[at].State = state
	}
	return lines
}

// reached returns which of the four stages the film is in, and whether it goes on there.
func (f filmView) reached() (at int, state string) {
	switch f.Stage {
	case StageUploading:
		return 0, "now"
	case StageReady, StageWaiting, StageSplitting:
		return 1, "now"
	case StageConverting:
		return 2, "now"
	case StageJoining:
		return 3, "now"
	case StageDone:
		return 4, ""
	}
	switch {
	case !f.Uploaded:
		return 0, "stopped"
	case f.TotalFrames == 0:
		return 1, "stopped"
	case f.Frames < f.TotalFrames:
		return 2, "stopped"
	}
	return 3, "stopped"
}

// maxCells bounds the map of segments: a longer film's cells stand for several segments each.
const maxCells = 400

// cell is a square of the map of segments.
type cell struct{ State, Title string }

// Map draws the segments.
func (f filmView) Map() []cell {
	per := (len(f.Segments) + maxCells - 1) / maxCells
	var cells []cell
	for part := range slices.Chunk(f.Segments, max(per, 1)) {
		cells = append(cells, newCell(part))
	}
	return cells
}

func newCell(part []Segment) cell {
	done := countState(part, SegmentDone)
	c := cell{State: string(SegmentWaiting), Title: fmt.Sprintf("Segment %d", part[0].Index+1)}
	if len(part) > 1 {
		c.Title = fmt.Sprintf("Segments %d to %d", part[0].Index+1, part[len(part)-1].Index+1)
	}
	switch {
	case done == len(part):
		c.State = string(SegmentDone)
	case done > 0 || countState(part, SegmentConverting) > 0:
		c.State = string(SegmentConverting)
	}
	c.Title += ": " + c.State
	return c
}

func countState(segments []Segment, state SegmentState) (n int) {
	for _, s := range segments {
		if s.State == state {
			n++
		}
	}
	return n
}

// SegmentWords says what the map shows.
func (f filmView) SegmentWords() string {
	done, busy := countState(f.Segments, SegmentDone), countState(f.Segments, SegmentConverting)
	return fmt.Sprintf("%s of %s done, %s under way.", grouped(done), plural(len(f.Segments), "segment"), grouped(busy))
}

// Facts are what doesn't change.
func (f filmView) Facts() []fact {
	o := f.Options
	facts := []fact{{"Format", f.FormatName()}, {"File", f.FileName}, {"Depth by", o.Depth.Model}}
	if o.Format != job.Depth && o.Format != job.RGBD {
		plane := fmt.Sprintf("%.2f", o.Stereo.Convergence)
		if o.Stereo.AutoConvergence {
			plane = "The subject's"
		}
		facts = append(facts, fact{"Strength", trimmed(o.Stereo.Divergence) + "%"}, fact{"Screen plane", plane})
	}
	if f.TotalFrames > 0 {
		facts = append(facts, fact{"Frames", grouped(f.TotalFrames)})
	}
	if f.StartedAt != nil {
		facts = append(facts, fact{"Started", f.StartedAt.Local().Format("2 January 2006, 15:04")})
	}
	if f.CompletedAt != nil && f.StartedAt != nil {
		facts = append(facts, fact{"Took", spanWords(int(f.CompletedAt.Sub(*f.StartedAt) / time.Second))})
	}
	return facts
}

// button is a form that asks for one action.
type button struct {
	ID       string
	Action   Action
	Name     string
	Question string // asked before; empty: not
	Class    string
}

// newButton returns the form for an action on a job.
func newButton(j Job, a Action) button {
	b := button{ID: j.ID, Action: a}
	switch a {
	case ActionCancel:
		b.Name, b.Question = "Cancel", "Stop “"+j.Title+"”? What is done is kept, so that you can go on later."
	case ActionRetry:
		b.Name, b.Class = "Go on", "primary"
		if j.Stage == StageFailed {
			b.Name = "Try again"
		}
	case ActionRemove:
		b.Name, b.Class, b.Question = "Remove", "danger", "Remove “"+j.Title+"” and all its files? This can't be undone."
	default:
		b.Name = string(a)
	}
	return b
}

// Buttons are the actions that the film's page offers beside watching it.
func (f filmView) Buttons() []button {
	var buttons []button
	for _, a := range []Action{ActionRetry, ActionCancel, ActionRemove} {
		if f.Can(a) {
			buttons = append(buttons, newButton(f.Job, a))
		}
	}
	return buttons
}
