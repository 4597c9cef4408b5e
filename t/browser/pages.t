#!/bin/sh
exec node "$(dirname "$0")/pages.test.mjs"
