// Package parts is the commands for the parts of a deployment, each by itself: image,
// site, stack, graph and settings.
//
// It leaves out the work, which is in the packages that are named like the commands.
package parts
