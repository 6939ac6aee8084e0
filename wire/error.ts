/** Errors: the answer to a request that the API refuses. */

import { z } from 'zod'
import { type ErrorCode, HTTP_STATUS } from '../domain/errors.js'

export const ErrorAnswer = z
  .object({
    success: z.literal(false),
    error: z.object({
      code: z.enum(Object.keys(HTTP_STATUS) as [ErrorCode, ...ErrorCode[]]),
      message: z.string().meta({ description: 'Message for people. It says what to do next.' }),
      details: z.record(z.string(), z.unknown()),
      request_id: z.string(),
    }),
  })
  .meta({ id: 'Error', description: 'A refused request. The code is stable.' })
export type ErrorAnswer = z.infer<typeof ErrorAnswer>
