#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/cmake/precompiled/std.h"
