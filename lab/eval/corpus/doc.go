// Package corpus reads labeled series from a folder.
//
// In: a folder, as fs.FS, in one of two layouts. NAB's: <category>/<name>.csv, at the top or below data, with
// labels/combined_windows.json. Or plain: any .csv files, whose third column, where there is one, is not 0 in
// abnormal rows. Out: the series, sorted by name, with their windows as row numbers.
//
// Promised: rows keep the order of their file, as rough as it is: repeated times, gaps, and times that run backwards
// stay. A cell that cannot be read is an error that names file and line.
//
// Limits: everything is held in memory, and a time without a zone is read as UTC.
package corpus
