/** Takes the result out of an answer that no node may refuse. */

import type { RpcAnswer } from './rpc-call.js'
import { EndpointFailure, RpcError } from './rpc-error.js'

/**
 * Returns the result of a call. @throws EndpointFailure, so that another endpoint is asked, if the node
 * refused it.
 */
export function expectResult(answer: RpcAnswer, method: string): unknown {
  if (answer instanceof RpcError) {
    throw new EndpointFailure(`${method} was refused: ${answer.message.slice(0, 200)} (code ${answer.code})`)
  }
  return answer
}
