/** Starts Temporal with a clock that jumps to the next timer. */

import { temporal as proto } from '@temporalio/proto'
import { TestWorkflowEnvironment } from '@temporalio/testing'
import { findTimeSkippingServer } from '../../local/parts/time-skipping.js'
import { SEARCH_ATTRIBUTE } from '../../temporal/search-attributes.js'

/**
 * Starts a server whose time skips while nothing runs. The server has one clock, so each test file starts its
 * own. Registers our search attributes, as the server refuses to start a workflow with unknown ones.
 */
export async function timeSkippingEnvironment(): Promise<TestWorkflowEnvironment> {
  const path = await findTimeSkippingServer(console.log)
  const environment = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path } },
  })
  await environment.connection.operatorService.addSearchAttributes({
    namespace: environment.namespace ?? 'default',
    searchAttributes: Object.fromEntries(
      Object.values(SEARCH_ATTRIBUTE).map(({ name }) => [
        name,
        proto.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
      ]),
    ),
  })
  return environment
}
