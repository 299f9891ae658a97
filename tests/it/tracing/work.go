// Goroutines that are preempted by SIGURG, children and signals in Go; ends with 3 at SIGTERM.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

func work(n int) (sum int) {
	for i := 0; i < n; i++ {
		sum += i % 7
	}
	return
}

func main() {
	heard := make(chan os.Signal, 16)
	signal.Notify(heard, syscall.SIGUSR1)
	syscall.Kill(syscall.Getpid(), syscall.SIGUSR1)
	fmt.Println("heard", <-heard)
	var group sync.WaitGroup
	sums := make([]int, 64)
	for i := range sums {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			sums[i] = work(2_000_000 + i)
			time.Sleep(time.Millisecond) // a thread of its own may be needed
		}(i)
	}
	group.Wait()
	fmt.Println("sums", sums[0], sums[63])
	for n := 0; n < 5; n++ {
		err := exec.Command("/bin/sh", "-c", fmt.Sprintf("exit %d", n)).Run()
		fmt.Println("child", err)
	}
	fmt.Println("killed", exec.Command("/bin/sh", "-c", "kill -9 $$").Run())
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	fmt.Println("ready")
	<-end
	os.Exit(3)
}
