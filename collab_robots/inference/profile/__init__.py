"""What is measured: times of this robot and its helpers, links, energy, bytes and accuracy."""
