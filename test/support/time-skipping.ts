/** Temporal with a clock that jumps to the next timer. */

import { TestWorkflowEnvironment } from '@temporalio/testing'
import { findTimeSkippingServer } from '../../local/parts/time-skipping.js'

/**
 * Starts a server whose time skips while nothing runs. One clock for all of it, so a test file has its own.
 * It knows no custom search attributes: workflows that set them run on it all the same.
 */
export async function timeSkippingEnvironment(): Promise<TestWorkflowEnvironment> {
  const path = await findTimeSkippingServer(console.log)
  return TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path } },
  })
}
