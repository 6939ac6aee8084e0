/** Makes one signed call of the API, and reports its errors to the approver. */

import { visibleText } from '../../domain/visible-text.js'
import { ApiError } from '../api-error.js'
import { createSender } from '../send-request.js'
import type { Credentials } from './credentials.js'
import { Failure } from './failure.js'

/**
 * Calls the API.
 *
 * @param path - The path after `/api/v1`.
 * @param body - JSON for a POST. Without it the call is a GET.
 * @returns The answer's `data`.
 * @throws Failure with the code and message of the API, or because the API cannot be reached.
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
