"""`make benchmarks`: every measurement, one after the other, on a local cloud of its own."""

from benchmarks import cold_start, compositor, hot_organization, round_trips, worker_memory
from dev.local_cloud import LocalCloud

print("One busy organization, simulated\n")
hot_organization.main()
with LocalCloud(env={"BCRYPT_COST": "10"}) as cloud:
    print("\nCold start\n")
    cold_start.main(cloud)
    print("\nRound trips\n")
    round_trips.main(cloud)
print("\nPeak memory of the generation worker\n")
worker_memory.main()
# Last: it leaves this process on one core.
print("\nThe compositor beside others\n")
compositor.main()
