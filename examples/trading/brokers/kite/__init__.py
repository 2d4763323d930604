"""A broker whose payloads are those of Kite Connect: flat rows with the symbols' names in them."""
