"""The shipped manifests and images on the development cluster (`dev/cluster`), used as a user would use them."""
