package provider

// Version is the provider's own, under which plugin.Install puts it and environments
// pin it. It rises when a resource's schema or behaviour changes.
const Version = "0.1.0"
