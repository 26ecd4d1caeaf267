#pragma once
#include <map>
#include <string>
#include <vector>

#include "topologies/engine/control/message.h"
#include "topologies/engine/format/lab.h"

namespace heddle::steps {

using Variables = std::map<std::string, std::string>;

// The claims of `expect` that the result breaks, each as a sentence; empty when all hold. Variables
// in claims are expanded first. Pure.
std::vector<std::string> broken_claims(const format::Expectation& expect,
                                       const control::ExecResult& result,
                                       const Variables& variables);

// The values that the JSON claims are about, `lost 0`: what a person wants to see of a long report.
std::vector<std::string> claimed_values(const format::Expectation& expect,
                                        const std::string& output);

// What a step captures from its output. Errors: `not_found` when a pattern matches nothing.
Result<Variables> capture(const std::vector<format::Capture>& captures, const std::string& output);

// `${NAME}` by these variables; others stay as they are, for the shell.
std::string expand_known(const std::string& text, const Variables& variables);

}  // namespace heddle::steps
