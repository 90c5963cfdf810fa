// Package optim updates weights from gradients: SGD with momentum, Adam, weight
// decay, a hard limit on the gradient's norm and one on the weights' norms, and
// the schedules of the learning rate.
//
// A step of training is: the network fills the gradients of the mean loss;
// [ClipNorm] limits them; [Optimizer.Step] adds the weight decay (SGD: decay·w to
// the gradient; Adam: apart from it), moves the weights, and last scales down the
// weights of units that are above the limit. So the limit on the gradient is on
// that of the loss alone, and the limit on the weights holds after every step.
// After an epoch [Plateau.Observe] sets the next rate.
//
// Everything that must survive a restart is reachable: [Optimizer.State] and the
// JSON of [Plateau]. Nothing here knows about graphs, devices or files.
package optim
