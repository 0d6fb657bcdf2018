"""Cars stepped together with batched inference, and the training loop over them."""
