// Makes the results of a measuring run agree with the profile that they leave behind.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "experiments/bench/schedule_store.hpp"
#include "experiments/device/device.hpp"
#include "experiments/records/results.hpp"

namespace opsched::bench {

/// Where settling is.
struct SettleProgress {
  int round = 1;
  std::string doing;        ///< replaying or measuring; first the one, then the other
  int done = 0, total = 0;  ///< cases of this round
  std::string text;
};

struct SettleOptions {
  MeasureOptions measure;
  int rounds = 3;                                     ///< up to this one searches measure; 0: nothing is changed
  std::function<void(const SettleProgress&)> report;  ///< called often; may throw to stop
  std::function<void(const Result&)> keep;            ///< called with every result that takes another's place, at once
};

/// A result that took another's place.
struct Replaced {
  Result old, now;
};

struct Settled {
  std::vector<Replaced> replaced;  ///< in the order in which that happened; a case may be there in several rounds
  std::map<std::string, std::string> open;  ///< names of cases that a replay still finds otherwise, or not at all; why
};

/// A scheduler that ran early saw less of the profile than there is in the end, and what it found is not what a search
/// on the finished profile finds. So every case is searched once more on the profile of `device`, without measuring, as
/// `opsched replay` does. Where that gives another schedule, the device searches again and measures what the replay had
/// to guess; the schedule it finds is measured, and its result takes the place of the old one, with the search_seconds
/// of the old. What was measured may change what else is found on that profile, so its cases are looked at again, until
/// nothing differs. From the last round on only what the replay finds is measured, without another search, up to three
/// times: then an end is in sight. A schedule that is another case's, too, has one result for both.
/// What is found becomes the answer in `store`. A case that cannot be replayed or measured stays as it is and is
/// `open`. Throws DeviceLost, Error where the profile cannot be written or read, and passes on what `report` throws;
/// `results` are without skipped ones.
Settled settle(Device& device, const ScheduleStore& store, std::vector<Result> results, const SettleOptions& options);

}  // namespace opsched::bench
