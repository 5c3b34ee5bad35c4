package environment

import (
	"testing"
	"time"
)

func TestShareOfAProcessor(t *testing.T) {
	for text, want := range map[string]float64{
		"9.10 8.89 5.57 8/180 21541\n": 0.25, "0.00 0.01 0.05 1/180 21541\n": 1, "0.00 0.01 0.05 2/180 21541": 1, "": 1, "0 0 0 x/1 1": 1, "0 0 0 0/1 1": 1,
	} {
		if got := shareOf(text, 2); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestFairTimer(t *testing.T) {
	begin := time.Now()
	expired, stop := fairTimer(2 * fairTick)
	<-expired
	if took := time.Since(begin); took < fairTick {
		t.Errorf("over after %v", took)
	}
	stop()
	_, stop = fairTimer(time.Hour)
	stop() // returns
}
