#!/bin/sh
exec node "$(dirname "$0")/idp.test.mjs"
