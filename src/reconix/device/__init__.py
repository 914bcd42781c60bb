"""The agent: the program on the device that receives, tries, confirms and falls back."""
