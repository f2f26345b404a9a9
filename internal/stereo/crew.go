package stereo

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// crew shares numbered pieces of work out to goroutines that live as long as the work does. Which
// goroutine does a piece is left to chance, so a piece must depend on its number alone.
type crew struct {
	hands []func() // one for each worker, made once: starting one allocates nothing
	shift int      // how many of them work
	task  func(worker, i int)
	count int64
	next  atomic.Int64
	done  sync.WaitGroup
	fault atomic.Pointer[fault] // of the first worker that panicked
}

// fault is a worker's panic on its way to whoever asked for the work: in a goroutine of its own it would end the program.
type fault struct {
	value any
	stack string
}

// Error is what the worker panicked with, and where.
func (f *fault) Error() string { return fmt.Sprintf("%v\n\n%s", f.value, f.stack) }

func (c *crew) hire(n int) {
	for worker := range n {
		c.hands = append(c.hands, func() {
			defer c.done.Done()
			defer func() {
				if v := recover(); v != nil {
					c.fault.CompareAndSwap(nil, &fault{v, string(debug.Stack())})
				}
			}()
			c.work(worker)
		})
	}
	c.shift = n
}

// call sets how many of the workers work from now on: at least one, at most all.
func (c *crew) call(n int) { c.shift = min(max(n, 1), len(c.hands)) }

// do runs task for i in [0, count) and returns when all are done. It panics where a worker has.
func (c *crew) do(count int, task func(worker, i int)) {
	c.task, c.count = task, int64(count)
	c.next.Store(0)
	c.done.Add(c.shift)
	for _, hand := range c.hands[1:c.shift] {
		go hand()
	}
	c.hands[0]()
	c.done.Wait()
	if f := c.fault.Swap(nil); f != nil {
		panic(f)
	}
}

func (c *crew) work(worker int) {
	for {
		i := c.next.Add(1) - 1
		if i >= c.count {
			return
		}
		c.task(worker, int(i))
	}
}
