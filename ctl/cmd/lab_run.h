#pragma once
#include "ctl/cmd/command.h"

namespace heddle::cmd {

extern const Command kLabRun;

}  // namespace heddle::cmd
