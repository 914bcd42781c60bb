"""Ways to send the difference of two trees, one class each; ``peer.py`` says what they do."""
