"""`make benchmarks`: every measurement, one after the other, on a local cloud of its own."""

from benchmarks import cold_start, round_trips
from dev.local_cloud import LocalCloud

with LocalCloud(env={"BCRYPT_COST": "10"}) as cloud:
    print("Cold start\n")
    cold_start.main(cloud)
    print("\nRound trips\n")
    round_trips.main(cloud)
