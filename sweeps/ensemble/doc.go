// Package ensemble makes one predictor of several: it picks the members, averages
// their predicted probabilities or values, and measures the result. It is pure: predictions
// and labels come in as slices, and the [Manifest] goes out as bytes. Reading
// predictions from the store and writing the manifest there is the Assemble
// activity's business.
//
// Nothing here depends on how the members came to be (attempts, times, hosts), nor
// on the order in which they are given, so that a sweep that was disturbed has
// the same manifest, byte for byte, as one that was not.
//
// Start reading at [Build].
package ensemble
