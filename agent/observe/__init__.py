"""From what the phone and the tap saw to an observation. Pure: values in, values out."""
