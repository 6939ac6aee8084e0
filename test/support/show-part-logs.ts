/** Writes the ends of the logs of a file's own nodes into its output when a test fails. Vitest runs this first. */

import { afterEach } from 'vitest'
import { runningLogs, tail } from '../../local/parts/start-process.js'

const LINES = 40

afterEach(({ task }) => {
  if (task.result?.state !== 'fail') return
  for (const { name, logFile } of runningLogs()) {
    console.log(`${task.name}: the end of the log of ${name} (${logFile}):\n${tail(logFile, LINES)}`)
  }
})
