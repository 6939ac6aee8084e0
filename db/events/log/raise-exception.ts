/** Exceptions: what a person must look at. */

import type { ExceptionRaised } from '../../../domain/events/event.js'
import { newId } from '../../new-id.js'
import type { NewEvent } from './append-events.js'

export interface NewException {
  readonly merchantId: string
  /** For example `deposit.reverted_after_spend`. */
  readonly kind: string
  readonly severity: ExceptionRaised['severity']
  /** Id of the object. */
  readonly subject: string
  /** Facts for whoever looks at it; JSON only. */
  readonly facts: Readonly<Record<string, unknown>>
}

/** The `exception.raised` event of an exception; append it in the transaction of what caused it. */
export function exceptionEvent(exception: NewException): NewEvent {
  const data = {
    ...exception.facts,
    id: newId('exc'),
    kind: exception.kind,
    severity: exception.severity,
    subject: exception.subject,
  } satisfies ExceptionRaised
  return { merchantId: exception.merchantId, type: 'exception.raised', subject: exception.subject, data }
}
