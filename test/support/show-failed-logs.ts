/** A reporter that shows the log of each test file that failed, before Vitest shows the failures. */

import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import type { Reporter, TestModule } from 'vitest/node'
import { fileLog } from './file-log.js'

/** Lines of a log that are shown. The file has all of them. */
const LINES = 300

/** Shows the logs of failed files, and says where the whole of a long one is. */
class ShowFailedLogs implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules) {
      if (module.state() !== 'failed') continue
      const log = fileLog(module.moduleId)
      const lines = linesOf(log)
      if (lines.length === 0) continue
      const name = relative(process.cwd(), module.moduleId)
      const cut = lines.length > LINES ? `, the last ${LINES} of ${lines.length} lines` : ''
      console.log(`\nOutput of ${name}${cut} (${log}):`)
      for (const line of lines.slice(-LINES)) console.log(`  ${line}`)
    }
  }
}

function linesOf(log: string): string[] {
  try {
    const text = readFileSync(log, 'utf8').trimEnd()
    return text === '' ? [] : text.split('\n')
  } catch {
    return []
  }
}

// biome-ignore lint/style/noDefaultExport: Vitest loads the reporter by its default export.
export default ShowFailedLogs
