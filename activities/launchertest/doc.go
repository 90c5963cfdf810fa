// Package launchertest is what every activities.Launcher has to pass. A launcher's
// own test supplies a [Harness]; the suite then runs small programs on it, which
// a launcher of processes runs by executing the test binary again ([Main]) and
// one of functions by calling [Interpret].
package launchertest
