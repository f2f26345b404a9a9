#!/bin/sh
# SageMaker starts the container with the word `serve`, which means something else to stereospot.
[ "$1" != serve ] || shift
exec stereospot inference "$@"
