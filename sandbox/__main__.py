"""Start the guest: `python3 -S -s -P -B /opt/reasoner`. Frames on stdin and stdout, nothing else."""

from guest.start import main

main()
