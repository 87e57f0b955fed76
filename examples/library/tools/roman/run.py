import json
import sys

VALUES = {"M": 1000, "CM": 900, "D": 500, "CD": 400, "C": 100, "XC": 90, "L": 50, "XL": 40, "X": 10, "IX": 9, "V": 5}
VALUES |= {"IV": 4, "I": 1}

left, written = json.load(sys.stdin)["number"], ""
for letters, value in VALUES.items():
    times, left = divmod(left, value)
    written += letters * times
json.dump({"roman": written}, sys.stdout)
