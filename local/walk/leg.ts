/** A part of the walk: its steps are told as they are done, and the first that fails ends it. */

import type { Say } from '../parts/find-executable.js'

export interface Leg {
  /** Names what comes next, for the line that tells of a failure. */
  begin(step: string): void
  /** Tells of a step that is done. */
  done(line: string): void
}

const LABEL_WIDTH = 6

/** Walks a part. @returns Whether every step succeeded. */
export async function walkLeg(label: string, say: Say, steps: (leg: Leg) => Promise<void>): Promise<boolean> {
  const began = Date.now()
  let step = 'start'
  const tell = (word: string, line: string) => say(`${word}  ${label.padEnd(LABEL_WIDTH)} ${line}`)
  try {
    await steps({
      begin(next) {
        step = next
      },
      done: (line) => tell('ok  ', `${line} (${((Date.now() - began) / 1_000).toFixed(1)} s)`),
    })
    return true
  } catch (error) {
    tell('FAIL', `${step}: ${error instanceof Error ? error.message : String(error)}`)
    return false
  }
}
