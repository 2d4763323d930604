"""What is asked of a broker over the network, in as few messages as it allows."""
