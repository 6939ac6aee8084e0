/** Walks a part of the main job: shows each step when it is done, and ends at the first that fails. */

import type { Say } from '../parts/say.js'

export interface Leg {
  /** Names the next step, for the line that reports a failure. */
  begin(step: string): void
  /** Shows a step that is done. */
  done(line: string): void
}

const LABEL_WIDTH = 6

/** Walks a part. @returns Whether every step succeeded. */
export async function walkLeg(label: string, say: Say, steps: (leg: Leg) => Promise<void>): Promise<boolean> {
  const began = Date.now()
  let step = 'start'
  const print = (word: string, line: string) => say(`${word}  ${label.padEnd(LABEL_WIDTH)} ${line}`)
  try {
    await steps({
      begin(next) {
        step = next
      },
      done: (line) => print('ok  ', `${line} (${((Date.now() - began) / 1_000).toFixed(1)} s)`),
    })
    return true
  } catch (error) {
    print('FAIL', `${step}: ${error instanceof Error ? error.message : String(error)}`)
    return false
  }
}
