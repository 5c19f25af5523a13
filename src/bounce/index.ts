export {
  BOUNCE_CATEGORIES,
  BOUNCE_CLASSES,
  CLASS_OF,
  PATTERN_TYPES,
  type PatternType,
  typeOf,
} from './category.ts';
export { checkPatterns, type PatternProblem } from './check.ts';
export { Classifier, type ClassifierOptions, type PatternHits } from './classifier.ts';
export { classifyByCode } from './codes.ts';
export { foldReply } from './fold.ts';
export {
  type BouncePattern,
  type CompiledPattern,
  isGeneral,
  ispsOf,
  lineOf,
  patternProblem,
} from './pattern.ts';
export { classifyReported, type ReportedFailure } from './reported.ts';
export { SHIPPED_FILE, shippedPatterns } from './shipped.ts';
export type { UnmatchedReply } from './unmatched.ts';
