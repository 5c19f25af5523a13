/** Collects problems while a configuration is checked; the places come from the sources. */
import type { ConfigProblem, Path } from './problem.ts';
import type { Sources } from './source.ts';

export class Report {
  readonly sources: Sources;
  readonly errors: ConfigProblem[] = [];
  readonly warnings: ConfigProblem[] = [];

  constructor(sources: Sources) {
    this.sources = sources;
  }

  error(path: Path, message: string, at: 'value' | 'key' = 'value'): void {
    this.errors.push(this.sources.problem(path, message, at));
  }

  warn(path: Path, message: string): void {
    this.warnings.push(this.sources.problem(path, message));
  }
}
