/** A reporter that lists the slowest test files at the end of a run. */

import { relative } from 'node:path'
import type { Reporter, TestModule } from 'vitest/node'

const FILES = 15
/** A run of fewer files needs no list. */
const FEW = 5

/** Lists the slowest files, with the part of the time of all files that each takes. */
class ShowSlowest implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    if (modules.length <= FEW) return
    const timed = modules.map((module) => {
      const { environmentSetupDuration, prepareDuration, collectDuration, setupDuration, duration } =
        module.diagnostic()
      return {
        name: relative(process.cwd(), module.moduleId),
        ms: environmentSetupDuration + prepareDuration + collectDuration + setupDuration + duration,
      }
    })
    const total = timed.reduce((sum, { ms }) => sum + ms, 0)
    console.log(`\nSlowest of ${timed.length} files (${seconds(total)} s, two at a time):`)
    for (const { name, ms } of timed.toSorted((a, b) => b.ms - a.ms).slice(0, FILES)) {
      const percent = ((100 * ms) / total).toFixed(1)
      console.log(`${seconds(ms).padStart(8)} s ${percent.padStart(5)} %  ${name}`)
    }
  }
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1)
}

// biome-ignore lint/style/noDefaultExport: Vitest loads the reporter by its default export.
export default ShowSlowest
