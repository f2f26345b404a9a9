package platform

import "testing"

// The check values that the catalogues of CRCs give for "123456789".
func TestPartHashGivesTheKnownChecksumsHoweverItIsFed(t *testing.T) {
	for _, cuts := range [][]string{{"123456789"}, {"", "1234", "56789"}, {"1", "2", "3", "4", "5", "6", "7", "8", "9"}} {
		var h PartHash
		for _, part := range cuts {
			if n, err := h.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatalf("Write(%q) = %d, %v", part, n, err)
			}
		}
		if got := h.Name(); got != "e3069283cbf43926" || len(got) != PartHashLen {
			t.Errorf("%q: %s", cuts, got)
		}
	}
	if got := new(PartHash).Name(); got != "0000000000000000" {
		t.Errorf("nothing: %s", got)
	}
}
