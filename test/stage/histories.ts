/** Reads, stores and replays the recorded histories of workflows in `test/histories/`. */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { temporal as proto } from '@temporalio/proto'
import { Worker } from '@temporalio/worker'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'

type History = proto.api.history.v1.IHistory

const { History: codec } = proto.api.history.v1
const directory = new URL('../histories/', import.meta.url)

/** Returns the file names of histories whose names begin with one of these types of workflows, sorted. */
export function recordedHistories(...types: readonly string[]): string[] {
  return readdirSync(directory)
    .filter((name) => types.some((type) => name.startsWith(`${type}.`)))
    .sort()
}

/**
 * Replays a history with the present code. @throws Error when a workflow that runs since then would break.
 */
export async function replayHistory(name: string): Promise<void> {
  const history = codec.decode(readFileSync(new URL(name, directory)))
  await Worker.runReplayHistory({ workflowBundle: { codePath: await loadWorkflowBundle() } }, history)
}

/**
 * Stores a history as `name` when the run records histories: with `KEYTURN_RECORD_HISTORIES=1` in the
 * environment.
 */
export async function storeHistory(name: string, history: () => Promise<History>): Promise<void> {
  if (!process.env.KEYTURN_RECORD_HISTORIES) return
  writeFileSync(new URL(`${name}.pb`, directory), codec.encode(await history()).finish())
}
