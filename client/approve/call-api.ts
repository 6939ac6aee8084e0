/** One signed call of the API, its errors told to the approver. */

import { visibleText } from '../../domain/visible-text.js'
import { ApiError } from '../api-error.js'
import { createSender } from '../send-request.js'
import type { Credentials } from './credentials.js'
import { Failure } from './failure.js'

/**
 * Calls the API.
 *
 * @param path - After `/api/v1`.
 * @param body - Sent as JSON by POST; a GET without.
 * @returns The answer's `data`.
 * @throws Failure with the API's own code and message.
 */
export async function callApi(credentials: Credentials, path: string, body?: unknown): Promise<unknown> {
  const send = createSender({
    baseUrl: credentials.api,
    apiKey: credentials.apiKey,
    apiSecret: credentials.apiSecret,
  })
  try {
    const { data } = await send<unknown>(
      body === undefined ? { method: 'GET', path } : { method: 'POST', path, body },
    )
    return data
  } catch (error) {
    if (error instanceof ApiError) throw new Failure(visibleText(error.message))
    throw new Failure(`${credentials.api} cannot be reached`, { cause: error })
  }
}
