#!/bin/sh
#SBATCH --job-name=oncelab-merge
#SBATCH --ntasks=1
#SBATCH --time=00:30:00
#SBATCH --open-mode=append
#
# Makes one run of the shards. `submit` gives the argument: OUT. The exit code of the job is the verdict of the run.
set -eu
exec oncelab merge --out "$1/merged" "$1"/shard-*
