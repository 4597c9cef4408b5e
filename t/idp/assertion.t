#!/bin/sh
exec node "$(dirname "$0")/assertion.test.mjs"
