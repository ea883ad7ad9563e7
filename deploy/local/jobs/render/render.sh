#!/bin/sh
# Renders one frame of the animation: render.sh TASK_INDEX FRAME_COUNT OUTPUT_FOLDER
set -eu
index=$1
count=$2
output_folder=$3
messages=/tmp/povray-messages

mkdir -p "$output_folder"
frame=$output_folder/frame-$(printf '%02d' "$index").png
started=$(date +%s)
# +WT1: a task has one core. +FN8: PNG of 8 bits a channel. +A: smooth edges. POV-Ray's messages only on failure.
povray +I/inputs/scene.pov "+O$frame" "Declare=Task_Index=$index" "Declare=Frame_Count=$count" \
  +W320 +H240 +FN8 +A0.05 +AM2 +R2 +WT1 -D >"$messages" 2>&1 || {
  cat "$messages"
  exit 1
}
echo "frame $index of $count rendered in $(($(date +%s) - started)) s: $frame"
