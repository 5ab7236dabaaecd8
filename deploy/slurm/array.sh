#!/bin/sh
#SBATCH --job-name=oncelab
#SBATCH --ntasks=1
#SBATCH --time=04:00:00
# Other work on the node would be measured, too.
#SBATCH --exclusive
# A task that is lost with its node comes again, and goes on with its shard.
#SBATCH --requeue
#SBATCH --open-mode=append
#
# One task makes one shard. `submit` gives the arguments: the path of deploy/shard, EXPERIMENT SEED SHARDS OUT [OPTION...]
# Slurm runs a copy of this script, so its own path does not lead to deploy/shard.
set -eu
make=$1 experiment=$2 seed=$3 shards=$4 out=$5
shift 5
exec "$make" "$experiment" "$seed" "$SLURM_ARRAY_TASK_ID" "$shards" "$out" "$@"
