"""Places and takes calls and observes. Knows SIP and RTP, nothing of Kubernetes. Importing it imports nothing."""
