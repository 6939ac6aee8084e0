/** Bundles the code of the workflows. */

import { fileURLToPath } from 'node:url'
import { bundleWorkflowCode } from '@temporalio/worker'

const WORKFLOWS = fileURLToPath(new URL('../workflows/index.ts', import.meta.url))

/**
 * Bundles the workflows. All workflows of a worker share one instance of each module, which would otherwise run
 * once more for each workflow that begins: a third of the processor time that a short workflow takes in the
 * worker's workflow thread. So no module of the bundle may keep state outside of its functions.
 *
 * @param logger - Receives the messages of the bundler. Default: standard error.
 */
export async function bundleWorkflows(logger?: BundleLogger): Promise<string> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: WORKFLOWS,
    preloadModules: [WORKFLOWS],
    ...(logger && { logger }),
  })
  return code
}

type BundleLogger = NonNullable<Parameters<typeof bundleWorkflowCode>[0]['logger']>
