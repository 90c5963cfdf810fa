// Package model turns a model's configuration into a network that can be trained
// and can predict. [New] builds it; [Network.TrainStep] leaves the gradients of one
// minibatch, which an optimiser (trainer/optim) applies; [Network.Predict] gives
// probabilities, or values.
//
// A kind of model is an architecture: its parameters and the Gorgonia graph of its
// outputs. Loss, gradients, compiled programs and prediction are the same for all
// and live in [Network]. Data, epochs and files are not this package's business.
package model
