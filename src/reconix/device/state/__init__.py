"""What the agent remembers: for good on the system partition, for this boot in ``/run/reconix``."""
