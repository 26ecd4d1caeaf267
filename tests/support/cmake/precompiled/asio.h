#pragma once
#include <boost/asio.hpp>

#include "tests/support/cmake/precompiled/std.h"
